"""Files of datasets, fetched whole or not at all."""

import contextlib
import hashlib
import http.client
import os
import posixpath
import re
import shutil
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from keras_saliency import files, progress, untrusted
from keras_saliency.archives import unpack
from keras_saliency.errors import InputError

TRIES = 5  # in a row that bring nothing new
PAUSE = 1.0  # seconds before the second try; doubles each time, up to
LONGEST_PAUSE = 60.0
MAY_PASS = (408, 425, 429)  # statuses that may be others later, as may all from 500 up
KINDS = {32: "md5", 40: "sha1", 64: "sha256"}  # of checksums, by their length
MB = 1024**2

ARCHIVE = re.compile(r"\.(zip|tar|tgz|tar\.(gz|bz2|xz))$")
RECORD = ".downloaded.json"  # what came out of which archive


def get(archives: list[tuple[str, str | None, str, str]], folder: str, whole=None) -> None:
    """Fetches what a dataset consists of into its folder, and unpacks the archives.

    What is there already is not fetched again: files of the right checksum, and
    archives of which the content is there. An archive fetched here is removed
    once it is unpacked.

    Args:
        archives: a dataset's `ARCHIVES`: address, checksum (see `fetch`), in
            words what it is, and a name that it unpacks to: what is there is not fetched.
        folder: of the dataset; made if it is missing.
        whole: asked after each archive: if it says True, no more are fetched.

    Raises:
        InputError: as `fetch` and `unpack`.
    """
    for url, checksum, what, unpacked in archives:
        name = posixpath.basename(urllib.parse.urlsplit(url).path)
        path = os.path.join(folder, name)
        packed = ARCHIVE.search(name)
        content = _recorded(folder).get(url) or [unpacked]
        if packed and all(os.path.exists(os.path.join(folder, each)) for each in content):
            print(f"{what}: {', '.join(content)} is there already; to fetch it again, move it away")
            continue
        ours = not os.path.exists(path)
        print(f"{what}: {url}", flush=True)
        fetch(url, path, checksum)
        if packed:
            content = unpack(path, folder)
            recorded = {**_recorded(folder), url: content}
            files.write_json(os.path.join(folder, RECORD), recorded)
            if ours:
                os.remove(path)
        if whole and whole():
            return


def _recorded(folder):
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(untrusted.read_json(os.path.join(folder, RECORD)))
    return {}


def fetch(
    url: str, path: str, checksum: str | None = None, size: int | None = None, timeout: float = 30.0
) -> None:
    """Fetches a file; at `path` there is either the whole of it or nothing.

    What has come lies in `path.part` meanwhile. After a cut connection, or in
    another run, it goes on from there if the server can and has the same file
    still. Nothing is fetched if the file is there and its checksum is right.

    Args:
        url: http or https.
        path: the file to write; its folder is made if it is missing.
        checksum: hexadecimal MD5, SHA-1 or SHA-256, or None: its length, as the
            server tells it, is all that is checked.
        size: in bytes, if it is known.
        timeout: seconds without a byte after which a connection counts as cut.

    Raises:
        InputError: if it cannot be had, is not the file that was wanted, or
            cannot be written.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"only http and https addresses are fetched. Received: {url}")
    if checksum and len(checksum) not in KINDS:
        raise InputError(f"{checksum} is no MD5, SHA-1 or SHA-256 in hexadecimal")
    try:
        if os.path.exists(path):
            fault = _fault(path, checksum, size)
            if fault:
                raise InputError(f"{path} {fault}; move it away to fetch {url}")
            return
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        part = _Part(path, url)
        _complete(part, checksum, size, timeout)
        fault = _fault(part.path, checksum, size)
        if fault and (part.joined or part.total is None):  # of two versions, or cut unseen
            part.remove()
            _complete(part, checksum, size, timeout)
            fault = _fault(part.path, checksum, size)
        if fault:
            part.remove()
            raise InputError(f"{url} is not the file that was wanted: it {fault}")
        part.place(path)
    except OSError as error:  # those of the network do not come here
        raise InputError(f"{path} cannot be written ({error.strerror or error})") from error


def _fault(path, checksum, size):
    """What is wrong with a file, or ""."""
    if os.path.isdir(path):
        return "is a folder"
    found = os.path.getsize(path)
    if size is not None and found != size:
        return f"has {found} bytes, expected {size}"
    if checksum:
        kind = KINDS[len(checksum)]
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, kind).hexdigest()
        if digest != checksum.lower():
            return f"has the {kind} {digest}, expected {checksum}"
    return ""


class _Cut(Exception):  # noqa: N818 - it is no error yet
    """Something that another try may mend."""

    def __init__(self, reason, wait=0.0):
        super().__init__(reason)
        self.wait = wait


class _Part:
    """What has come of a file, and of which version."""

    def __init__(self, path, url):
        self.path, self.notes, self.url = f"{path}.part", f"{path}.part.json", url
        self.version = self.total = None
        self.joined = False  # of what more than one connection brought
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = untrusted.read_json(self.notes)
            if noted["url"] == url:
                self.version, self.total = noted["version"], noted["total"]
                self.joined = self.have() > 0
                return
        self.remove()

    def have(self):
        return os.path.getsize(self.path) if os.path.exists(self.path) else 0

    def begin(self, version, total):
        self.remove()
        self.version, self.total, self.joined = version, total, False
        files.write_json(self.notes, {"url": self.url, "version": version, "total": total})

    def differs(self, version, total):
        """Whether an answer is of another version than what has come."""
        versions, totals = {self.version, version} - {None}, {self.total, total} - {None}
        return len(versions) > 1 or len(totals) > 1

    def remove(self):
        for path in (self.path, self.notes):  # in this order: a part is nothing without its notes
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)

    def place(self, path):
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        os.replace(self.path, path)
        self.remove()


def _complete(part, checksum, size, timeout):
    """Brings the part to its whole length, in as many tries as it takes."""
    most, failed = part.have(), 0
    while True:
        try:
            return _go_on(part, checksum, size, timeout)
        except _Cut as cut:
            failed = 1 if part.have() > most else failed + 1
            most = max(most, part.have())
            if failed >= TRIES:
                raise InputError(
                    f"{part.url} cannot be fetched ({cut}); the same command tries again"
                ) from cut
            print(f"{part.url}: {cut}; trying again", file=sys.stderr)
            time.sleep(min(max(PAUSE * 2 ** (failed - 1), cut.wait), LONGEST_PAUSE))


def _go_on(part, checksum, size, timeout):
    """One connection; raises `_Cut` if the file is not whole after it."""
    have = part.have()
    # Without a version, only a checksum tells whether two halves belong together.
    if have and (have > (part.total or have) or not (part.version or checksum)):
        part.remove()
        have = 0
    if have and have == part.total:
        return
    with _answer(part, have, timeout) as response:
        start, total, version = _told(response)
        if start and (start != have or part.differs(version, total)):
            part.remove()
            raise _Cut("the file has changed")
        part.joined = start > 0
        if not start:
            part.begin(version, total)
        total = size if total is None else total
        if size is not None and total not in (None, size):
            raise InputError(f"{part.url} has {total} bytes, expected {size}: another file")
        if total is None and not (response.chunked or checksum):
            raise InputError(f"{part.url} does not tell its length: whether all came is unknown")
        room = shutil.disk_usage(os.path.dirname(os.path.abspath(part.path))).free
        if total and total - start > room:
            raise InputError(
                f"no room for {part.path}: {(total - start) // MB} MB are needed, {room // MB} free"
            )
        _copy(response, part, start, total)
    if total is not None and part.have() != total:
        if part.have() > total:
            part.remove()
        raise _Cut(f"the connection was cut at {part.have()} of {total} bytes")


def _answer(part, have, timeout):
    """The server's, to a request for what is lacking."""
    headers = {"User-Agent": "keras_saliency", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if part.version:
            headers["If-Range"] = part.version
    try:
        return urllib.request.urlopen(
            urllib.request.Request(part.url, None, headers), None, timeout
        )
    except urllib.error.HTTPError as error:
        error.close()
        said = f"the server answers {error.code} {error.reason}"
        if error.code == 416:  # it has less than we
            part.remove()
        elif error.code < 500 and error.code not in MAY_PASS:
            raise InputError(f"{part.url} cannot be fetched: {said}") from None
        wait = error.headers.get("Retry-After", "")
        raise _Cut(said, float(wait) if wait.isdecimal() else 0) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise InputError(f"{part.url} cannot be trusted ({reason})") from None
        raise _Cut(str(reason) or type(reason).__name__) from None


def _told(response):
    """Where the answer begins, the whole file's length or None, and its version or None."""
    tag = response.headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    version = tag if tag.startswith('"') else response.headers.get("Last-Modified")
    if response.status == 206:
        found = re.fullmatch(
            r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip()
        )
        if not found:
            raise _Cut("the server tells not which part it sends")
        return int(found[1]), None if found[2] == "*" else int(found[2]), version
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None, version


def _copy(response, part, start, total):
    left = None if total is None else total - start
    bar = progress.Bar(max((left or 0) // MB, 1), "MB")
    came = 0
    with open(part.path, "ab") as file:
        while True:
            try:
                data = response.read1(65536)
            except (OSError, http.client.HTTPException) as error:
                raise _Cut(str(error) or type(error).__name__) from None
            if not data:
                return
            file.write(data)
            came += len(data)
            if left:
                bar.update(came // MB)
