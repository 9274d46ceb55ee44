"""Detection, outline and class of each finding as one table, and the files that leave the house."""
