"""What nodes are given on a Ray cluster: ``conf/<env>/parameters_ray.yml``."""

from pydantic import Field

from medpipe.core.params import Params


class RayParams(Params):
    """What a node is given on a Ray cluster.

    Attributes:
        num_cpus: CPUs that a node holds while it computes; those it waits for in its fan-out are not counted. Its
            libraries use as many threads.
        num_gpus: GPUs of a node with the tag ``gpu``; a part (0.5) lets several share one. Where the cluster has none,
            such nodes get none. A training on several GPUs of a host needs as many here.
        fan_out: Whether what a node does in parallel is spread over the cluster (true) or over processes of its host.
        retries: How often a node is run again whose worker or host died; a training goes on from its last checkpoint.
            What a node itself raises is never tried again.
    """

    num_cpus: float = Field(1.0, gt=0)
    num_gpus: float = Field(1.0, ge=0)
    fan_out: bool = True
    retries: int = Field(1, ge=0)
