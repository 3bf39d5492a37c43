"""What the inputs of a TensorFlow graph's nodes are called."""


def node_of(edge: str) -> str:
    """Returns the name of the node that an edge comes from.

    Args:
        edge: as a NodeDef has it: `name`, `name:1`, in a function `name:part:0`, or `^name`, which orders.
    """
    return edge.removeprefix("^").partition(":")[0]
