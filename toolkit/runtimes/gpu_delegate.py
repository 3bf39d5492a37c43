"""Finds obstacles, in a .tflite file, to running the whole network on TensorFlow Lite's GPU delegate.

The operations are those of tensorflow/lite/tools/versioning/gpu_compatibility.cc. LiteRT's accelerators for OpenCL,
Metal and WebGPU support these and more, so an obstacle found here may not exist there. The analyzer of TensorFlow 2.21
(`tf.lite.experimental.Analyzer`) calls every network compatible, and so is not used.
"""

from toolkit.runtimes.tflite_file import TFLiteFile

_NAMES = """
    ABS ADD ADD_N AVERAGE_POOL_2D BATCH_MATMUL CAST CONCATENATION CONV_2D COS CUMSUM DENSIFY DEPTHWISE_CONV_2D
    DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER
    GREATER_EQUAL HARD_SWISH LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGISTIC LSTM MAXIMUM MAX_POOL_2D MEAN MINIMUM
    MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6
    RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TRANSPOSE TRANSPOSE_CONV
    Convolution2DTransposeBias MaxPoolingWithArgmax2D MaxUnpooling2D Resampler
"""
OPERATIONS = frozenset(_NAMES.split())
# Types of computed tensors; the delegate computes quantized tensors in floating point.
DTYPES = frozenset({"float32", "float16", "int8", "uint8", "int32", "bool"})
MAX_RANK = 4


def obstacles(file: TFLiteFile, operations: dict[str, int]) -> list[str]:
    """Returns a phrase for each obstacle to running the whole network on a GPU."""
    found = []
    if any(None in tensor.shape for tensor in file.computed):
        found.append("its sizes vary, and a GPU needs them in advance")
    if missing := [name for name in operations if name not in OPERATIONS]:
        found.append(f"the delegate does not support {', '.join(missing)}")
    if kinds := sorted({tensor.dtype for tensor in file.computed} - DTYPES):
        found.append(f"the delegate does not support the type {', '.join(kinds)}")
    if (rank := max((len(tensor.shape) for tensor in file.computed), default=0)) > MAX_RANK:
        found.append(f"a tensor has {rank} dimensions, and the delegate takes at most {MAX_RANK}")
    return found
