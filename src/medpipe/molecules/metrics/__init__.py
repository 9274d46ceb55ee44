"""The MOSES measures of a molecule generator, each molecule read once.

``score.score`` compares generated SMILES with a training set and reference sets; ``reference`` keeps what is known of a
reference set on disk. Definitions are those of molsets 0.3.1 (Polykovskiy et al., Front. Pharmacol. 11, 565644, 2020).
"""
