"""Names of the inputs of a TensorFlow graph's nodes."""


def node_of(edge: str) -> str:
    """Returns the node that an edge comes from: `name`, `name:1`, in a function `name:part:0`, or `^name`."""
    return edge.removeprefix("^").partition(":")[0]
