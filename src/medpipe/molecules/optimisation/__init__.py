"""Better molecules: a score of many aims, and ways to raise it from given molecules or from nothing."""
