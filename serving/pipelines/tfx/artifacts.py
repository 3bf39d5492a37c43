"""The TFX artifact type of a bundle."""

from tfx.types import artifact


class Bundle(artifact.Artifact):
    """A bundle from `styleport export`: every artifact, the float32 model, manifest and report.

    * Custom properties:
        - `manifest_sha256`: the SHA-256 of its manifest, which accounts for every other file.

    * File structure:
        - `{uri}/`
            - `manifest.json`
            - `manifest.json.sha256`
            - `MODEL_CARD.md`
            - `source/`
            - `saved_model/`
            - Other artifacts and the report.
    """

    # In Kubeflow's syntax for type names.
    TYPE_NAME = "styleport.Bundle"
