"""What is learned from scans: networks, targets, inference, FROC, measures."""
