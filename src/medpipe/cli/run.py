"""``kedro run``, which skips what is unchanged unless another runner is asked for."""

import copy

from kedro.framework.cli.project import run as kedro_run

run = copy.deepcopy(kedro_run)
for option in run.params:
    if option.name == "runner":
        option.default = "medpipe.runners.IncrementalRunner"
