"""Makes .tflite pairs whose answer a reader can compute: a picture halfway between content and mean style color."""

import shutil

import tensorflow as tf


def predictor(side, dtype=tf.float32):
    spec = tf.TensorSpec((1, side, side, 3), dtype, "style_image")

    def bottleneck(style_image):
        style = style_image if dtype == tf.float32 else tf.cast(style_image, tf.float32) / 255
        return {"style_bottleneck": tf.reduce_mean(style, axis=(1, 2), keepdims=True)}

    return bottleneck, [spec]


def transformer(side, dtype=tf.float32):
    specs = [
        tf.TensorSpec((1, side, side, 3), dtype, "content_image"),
        tf.TensorSpec((1, 1, 1, 3), name="style_bottleneck"),
    ]

    def transform(content_image, style_bottleneck):
        content = content_image if dtype == tf.float32 else tf.cast(content_image, tf.float32) / 255
        stylized = (content + style_bottleneck) / 2
        return {"stylized_image": stylized if dtype == tf.float32 else tf.cast(tf.round(stylized * 255), tf.uint8)}

    return transform, specs


def write(path, functions, samples_of_inputs=None):
    """Converts functions to a .tflite file with one signature each; quantized to int8 if samples are given."""
    module = tf.Module()
    for function, specs in functions:
        setattr(module, function.__name__, tf.function(function, specs))
    concrete = {f.__name__: getattr(module, f.__name__).get_concrete_function() for f, _ in functions}
    folder = path.parent / "saved_model"
    tf.saved_model.save(module, str(folder), concrete)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=list(concrete))
    if samples_of_inputs:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: samples_of_inputs
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    shutil.rmtree(folder)


def write_pair(folder, side, dtype=tf.float32):
    write(folder / "predictor.tflite", [predictor(side, dtype)])
    write(folder / "transformer.tflite", [transformer(side, dtype)])
    return folder


def write_convolution(folder):
    """Writes a transformer with the operations of real ones: padding, convolutions and a resize."""
    side, kernels = 16, tf.random.stateless_normal((3, 3, 3, 8), (1, 2))

    def transform(content_image, style_bottleneck):
        padded = tf.pad(content_image, ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT")
        small = tf.nn.relu(tf.nn.conv2d(padded, kernels, 2, "VALID"))
        large = tf.image.resize(small, (side, side), "nearest")
        mean = tf.reduce_mean(large, (1, 2), keepdims=True)
        painted = tf.nn.conv2d(large - mean, tf.transpose(kernels, (0, 1, 3, 2)), 1, "SAME")
        return {"stylized_image": tf.sigmoid(painted * style_bottleneck)}

    write(folder / "transformer.tflite", [(transform, transformer(side)[1])])
    return folder / "transformer.tflite"
