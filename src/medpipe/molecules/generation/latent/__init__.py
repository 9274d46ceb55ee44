"""The latent family: an autoencoder of token sequences, and a GAN of its latent vectors."""
