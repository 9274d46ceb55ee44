"""What both halves share on the GPU: Trainer set-up, checkpoints, seeds."""
