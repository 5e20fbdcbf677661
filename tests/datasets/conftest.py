import pytest
import salicon_tree

from keras_saliency.datasets import salicon


@pytest.fixture(params=salicon.RELEASES)
def any_release(request, tmp_path):
    """A release's name, and a tree of it."""
    salicon_tree.write_tree(tmp_path, request.param)
    return request.param, tmp_path


@pytest.fixture
def salicon_2017(tmp_path):
    """A tree of 2017."""
    salicon_tree.write_tree(tmp_path)
    return tmp_path
