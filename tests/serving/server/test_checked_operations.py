"""serving.server: The local server loads any version, as TensorFlow Serving does; on request only those that pass
the gate."""

import pytest

from serving.server.models.loader import Servable
from serving.server.options import LoadOptions
from serving.server.status import ServingError
from tests.toolkit import hostile_models


def test_a_version_that_writes_files_is_loaded_unless_operations_are_checked(tmp_path):
    written = tmp_path / "written"
    folder = hostile_models.write_tf1(tmp_path / "1", lambda: hostile_models.write_file(written))
    with pytest.raises(ServingError, match=r"cannot be loaded: .*operations that no stylizer needs: WriteFile"):
        Servable(folder, LoadOptions(check_operations=True))
    assert not written.exists()
    Servable(folder, LoadOptions()).close()
    assert written.exists()


def test_what_stylizers_need_is_served_when_operations_are_checked(saved):
    Servable(saved / "1", LoadOptions(check_operations=True)).close()
