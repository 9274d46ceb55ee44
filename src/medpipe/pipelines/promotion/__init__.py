"""What the promotion gates of all models share; no pipeline by itself."""
