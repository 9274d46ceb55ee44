"""Generators that the discriminator's gradient reaches directly: what the latent and the graph family share."""
