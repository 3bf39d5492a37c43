"""Runs a SavedModel in another TensorFlow: `python older_tensorflow.py SAVED_MODEL REQUESTS.npz ANSWERS.npz`.

Nothing of the project is imported, for the environment that this runs in has nothing but TensorFlow. The model is
loaded as TensorFlow Serving loads it: by its tags, into a session.
"""

import sys

import numpy as np


def main(saved_model: str, requests: str, answers: str) -> None:
    """Runs `image_bytes` and `serving_default`.

    Args:
        saved_model: the model's folder.
        requests: a file of `content` and `style`, [1, H, W, 3] float32, and of `content_png` and `style_png`, bytes.
        answers: the file to write, of `picture`, of `png` and of TensorFlow's `version`.
    """
    import tensorflow as tf

    sent = np.load(requests)
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], saved_model)

        def run(name: str, **inputs: object) -> object:
            signature = loaded.signature_def[name]
            (output,) = signature.outputs.values()
            return session.run(output.name, {signature.inputs[key].name: value for key, value in inputs.items()})

        picture = run("serving_default", content_image=sent["content"], style_image=sent["style"])
        pngs = {key: [sent[key].tobytes()] for key in ("content_png", "style_png")}
        (png,) = run(
            "image_bytes", content_image_bytes=pngs["content_png"], style_image_bytes=pngs["style_png"]
        )  # fmt: skip
    np.savez(answers, picture=picture, png=np.frombuffer(png, np.uint8), version=np.array(tf.__version__))


if __name__ == "__main__":
    main(*sys.argv[1:])
