"""export.exporter: An exporter's base class has the loop: a format writes its files, and nothing else."""

from export.artifact import ExportOptions
from export.exporter import Exporter


class SizeExporter(Exporter):
    """Writes the size of each artifact into a file."""

    format = "tflite"

    def write(self, artifact, folder):
        assert list(folder.iterdir()) == []
        (folder / "size").write_text(f"{self.model} of {artifact.size}")

    @staticmethod
    def load(folder):
        return (folder / "size").read_text()

    @staticmethod
    def signatures(folder):
        return {}


OPTIONS = ExportOptions(("saved_model", "tflite"), ("float32",), (64, None))


def test_each_artifact_of_the_format_is_told_written_and_then_yielded(tmp_path):
    steps = []
    made = SizeExporter("a model", OPTIONS).export(tmp_path, steps.append)
    assert next(made).path == "tflite/float32_64"
    assert steps == ["exporting tflite/float32_64"]
    assert not (tmp_path / "tflite" / "float32_any").exists()
    assert [artifact.path for artifact in made] == ["tflite/float32_any"]
    assert [SizeExporter.load(folder) for folder in sorted((tmp_path / "tflite").iterdir())] == [
        "a model of 64",
        "a model of None",
    ]


def test_a_format_that_is_not_asked_for_is_not_made(tmp_path):
    assert list(SizeExporter(None, ExportOptions(("saved_model",))).export(tmp_path, print)) == []
    assert list(tmp_path.iterdir()) == []
