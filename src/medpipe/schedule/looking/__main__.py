"""Looks at a job's data for one run and keeps what it found in the schedule's state."""

import argparse
import sys
from pathlib import Path

from medpipe.core.errors import InputError
from medpipe.schedule.jobs import load_jobs
from medpipe.schedule.looking.look import look
from medpipe.schedule.state import State


def main() -> int:
    """Exit status 0 where the look was kept, 1 where the data cannot be looked at."""
    parser = argparse.ArgumentParser("python -m medpipe.schedule.looking", description=main.__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("job")
    parser.add_argument("run", help="id of the run")
    parser.add_argument("--env", help="Kedro environment of the scheduler")
    parser.add_argument("--force", action="store_true", help="find reason to train in any case")
    arguments = parser.parse_args()
    state = State(arguments.project)
    try:
        job = load_jobs(arguments.project, arguments.env)[arguments.job]
        found = look(arguments.project, job, arguments.env, state.baselines(arguments.job), force=arguments.force)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    state.write_look(arguments.run, arguments.job, found.train, found.reason, found.baselines)
    print(found.reason)
    return 0


if __name__ == "__main__":
    sys.exit(main())
