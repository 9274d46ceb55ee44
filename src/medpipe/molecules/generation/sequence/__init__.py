"""The sequence family: a generator that says one token after another, and a discriminator that reads them."""
