"""Whether there is reason to train: new data, or data that drifted.

It runs in a process of its own before a job's pipelines (``python -m medpipe.schedule.looking``): what reads scans and
molecules takes memory and may stumble over a damaged file, and the scheduler is to live for a year.
"""
