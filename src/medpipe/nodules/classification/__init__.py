"""Tells what kind of thing a finding is, from a cube around it."""
