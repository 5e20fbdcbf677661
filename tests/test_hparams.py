"""A run's row in TensorBoard's HPARAMS tab, as TensorBoard reads it."""

from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.plugins.hparams import metadata

from keras_saliency import hparams

ARGUMENTS = {"data": "osie", "size": (96, 128), "seed": 1, "width": 0.25, "limit": None}


def read(folder):
    """What TensorBoard finds: of each run its arguments, and its scalars."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    found = {}
    for run, tags in multiplexer.PluginRunToTagToContent("hparams").items():
        content = tags[metadata.SESSION_START_INFO_TAG]
        started = metadata.parse_session_start_info_plugin_data(content)
        values = {name: value.string_value for name, value in started.hparams.items()}
        finals = multiplexer.PluginRunToTagToContent("scalars").get(run, {})
        scores = {tag: multiplexer.Tensors(run, tag)[-1].tensor_proto.float_val for tag in finals}
        found[run] = started.group_name, values, scores
    return found


def test_several_runs_compare(tmp_path):
    for name, loss in (("first", "bce"), ("second", "kld")):
        hparams.begin(str(tmp_path / name), {**ARGUMENTS, "content_loss": loss, "run_dir": name})
    hparams.end(str(tmp_path / "first"), {"nss": 2.5, "ig": float("nan")})
    found = read(tmp_path)
    assert set(found) == {"first/logs", "second/logs"}
    group, values, scores = found["first/logs"]
    assert group == "first" and values["content_loss"] == "bce" and values["size"] == "96x128"
    assert "run_dir" not in values and list(scores) == ["final/nss"]
    assert found["second/logs"][2] == {}  # it has not ended


def test_a_resumed_run_has_one_row_and_no_scores_until_it_ends(tmp_path):
    for _ in range(2):
        hparams.begin(str(tmp_path), ARGUMENTS)
        assert read(tmp_path)["logs"][2] == {}
        hparams.end(str(tmp_path), {"nss": 2.5})
    assert len(list((tmp_path / "logs").iterdir())) == 2
    assert list(read(tmp_path)["logs"][2]) == ["final/nss"]
