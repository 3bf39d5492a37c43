"""serving.pipelines: Runners by name, and Beam's options beside ours."""

import pytest
from apache_beam.options.pipeline_options import DirectOptions, GoogleCloudOptions

from serving.pipelines.beam import runners
from toolkit.errors import InputError


@pytest.mark.parametrize("name", ["FnApiRunner", "DirectRunner", "direct"])
def test_what_runs_here_is_the_runner_that_fetches_nothing(name):
    assert type(runners.open_runner(name)).__name__ == "FnApiRunner"


@pytest.mark.parametrize("name", ["FlinkRunner", "spark", "dask"])
def test_other_engines_are_opened_by_their_names(name):
    assert name.lower().removesuffix("runner") in type(runners.open_runner(name)).__name__.lower()


@pytest.mark.parametrize("name", ["StormRunner", "os.path", "no.such.Runner", "builtins.dict"])
def test_an_unknown_runner_is_answered_with_those_that_exist(name):
    with pytest.raises(InputError) as told:
        runners.open_runner(name)
    for known in ("DaskRunner", "DataflowRunner", "FlinkRunner", "FnApiRunner", "SparkRunner"):
        assert known in str(told.value)


def test_options_of_beam_may_stand_anywhere_among_the_styles():
    words = ["a.png", "--region", "europe-west1", "b.png", "--project=mine", "--direct_num_workers=3"]
    options, styles = runners.split(words, "DataflowRunner")
    assert styles == ["a.png", "b.png"]
    assert options.view_as(GoogleCloudOptions).region == "europe-west1"
    assert options.view_as(GoogleCloudOptions).project == "mine"
    assert options.view_as(DirectOptions).direct_num_workers == 3


@pytest.mark.parametrize("words", [["a.png", "--no-such-option=1"], ["a.png", "--direct_num_workers=many"]])
def test_an_option_that_beam_has_not_is_told(words):
    with pytest.raises(InputError, match=r"no such option: --no-such-option=1|invalid int value"):
        runners.split(words, "FnApiRunner")
