"""Signs a bundle with a key, and checks signatures, which detects even a completely rewritten manifest.

The signature follows OpenSSF model signing (https://github.com/sigstore/model-transparency): an in-toto statement of
the SHA-256 of every file, signed with an elliptic-curve key and kept as a Sigstore bundle. Nothing is uploaded.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

from export.bundle.folder import SIGNATURE_FILE
from toolkit.errors import InputError, WorkError, one_line
from toolkit.files.opening import read_bounded

PASSPHRASE_VARIABLE = "STYLEPORT_SIGNING_PASSPHRASE"  # noqa: S105

_MAX_KEY_BYTES = 64 * 1024
# The signature of a thousand files takes about 300 KB.
_MAX_SIGNATURE_BYTES = 16 * 1024**2
_KEY = "key in PEM form, on the curve P-256, P-384 or P-521"


class BundleSigner:
    """Signs bundles with one private key.

    Args:
        key: a PEM file with a private key on the curve P-256, P-384 or P-521. The environment variable
            `STYLEPORT_SIGNING_PASSPHRASE` holds its passphrase, if it has one.

    Raises:
        InputError: the file is missing, is not such a key, or needs another passphrase.
    """

    def __init__(self, key: str | Path) -> None:
        from model_signing import signing

        passphrase = os.environ.get(PASSPHRASE_VARIABLE, "").encode() or None
        _read_key(key)
        try:
            self._config = signing.Config().use_elliptic_key_signer(private_key=key, password=passphrase)  # type: ignore[arg-type]
        except Exception as error:  # cryptography raises almost any exception on a damaged or unknown key
            raise InputError(
                f"{key}: cannot sign ({one_line(error, most=200)}); give a private {_KEY}, and its passphrase, "
                f"if it has one, in {PASSPHRASE_VARIABLE}"
            ) from error

    def sign(self, bundle: Path, name: str) -> None:
        """Signs every file of a bundle and writes the signature into it.

        Args:
            bundle: the folder, complete except for the signature.
            name: the bundle's name in the signature, which may differ from the folder's.
        """
        self._config.set_hashing_config(_hashing(name))
        self._config.sign(bundle, bundle / SIGNATURE_FILE)


def check_signature(bundle: str | Path, key: str | Path) -> None:
    """Checks that every file of a bundle is as signed by the owner of a key.

    Args:
        bundle: the bundle's folder.
        key: a PEM file with the public key.

    Raises:
        InputError: the key cannot be read, or there is no signature in the bundle.
        WorkError: the signature is damaged or from another key, or a file was changed, added or removed.
    """
    from model_signing import hashing, verifying

    _read_key(key)
    bundle, signature = Path(bundle), Path(bundle) / SIGNATURE_FILE
    everything = hashing.Config().set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key).set_hashing_config(everything)
    except Exception as error:  # see BundleSigner
        raise InputError(f"{key}: not a public {_KEY} ({one_line(error, most=200)})") from error
    try:
        read_bounded(signature, _MAX_SIGNATURE_BYTES, "a signature")
    except FileNotFoundError as error:
        raise InputError(f"{bundle}: not signed: it has no {SIGNATURE_FILE}; leave --key out, or sign it") from error
    except OSError as error:
        raise InputError(f"{signature}: cannot be read: {error.strerror}") from error
    try:
        # The library prints warnings about older signatures.
        with contextlib.redirect_stdout(None):
            verifier.verify(bundle, signature)
    except Exception as error:  # the parser raises almost any exception on a malicious signature
        reason = _without_digests(one_line(error)) if str(error) else "it is not of this key"
        raise WorkError(f"{bundle}: its signature does not hold: {reason}") from error


def _without_digests(message: str) -> str:
    """Keeps only the names of differing files, without the digests, which the library prints as escaped bytes."""
    found = re.findall(r"Hash mismatch for '[^']*'|(?:Extra|Missing) files[^\"\]]*", message)
    return "; ".join(found) or message


def _read_key(key: str | Path) -> None:
    """Refuses paths that cannot be keys before a library reads them."""
    try:
        read_bounded(key, _MAX_KEY_BYTES, "a key")
    except OSError as error:
        raise InputError(f"{key}: cannot be read: {error.strerror}; give a {_KEY}") from error


def _hashing(name: str) -> Any:
    """Returns the hashing configuration: all files except the signature, under the bundle's final name."""
    from model_signing import hashing, manifest

    class Hashing(hashing.Config):
        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            found = super().hash(model_path, files_to_hash=files_to_hash)
            items = [
                manifest.FileManifestItem(path=Path(descriptor.identifier), digest=descriptor.digest)
                for descriptor in found.resource_descriptors()
            ]
            return manifest.Manifest(name, items, manifest.SerializationType.from_args(found.serialization_type))

    return Hashing().set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)
