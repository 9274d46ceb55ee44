"""Whether a challenger takes the place of the champion: statistics alone, of no trade."""
