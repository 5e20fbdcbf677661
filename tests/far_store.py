"""A store that Apache Beam knows, far://, whose files are in a folder on this machine.

Like HDFS it does not rename over what is there.
"""

import os

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.localfilesystem import LocalFileSystem


class FarStore(LocalFileSystem):
    """As gs://: no folders, and names that the operating system does not know."""

    root = None

    @classmethod
    def scheme(cls):
        return "far"

    def _local(self, path):
        return os.path.join(self.root, path.removeprefix("far://"))

    def join(self, base, *names):
        return "/".join([base.rstrip("/"), *names])

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def has_dirs(self):
        return False

    def _list(self, prefix):
        folder = os.path.dirname(self._local(prefix))
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                yield self.metadata("far://" + os.path.relpath(path, self.root))

    def metadata(self, path):
        found = super().metadata(self._local(path))
        found.path = path
        return found

    def _path_open(self, path, *arguments, **settings):
        return super()._path_open(self._local(path), *arguments, **settings)

    def create(self, path, *arguments, **settings):
        os.makedirs(os.path.dirname(self._local(path)), exist_ok=True)
        return self._path_open(path, "wb", *arguments, **settings)

    def rename(self, sources, targets):
        if any(map(self.exists, targets)):
            raise BeamIOError("Rename operation failed", dict.fromkeys(targets, "is there"))
        super().rename(*([self._local(path) for path in paths] for paths in (sources, targets)))

    def delete(self, paths):
        for path in paths:
            os.remove(self._local(path))

    def exists(self, path):
        return os.path.isfile(self._local(path))
