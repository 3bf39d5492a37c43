"""export.bundle: A signed bundle is, file by file, what the key's owner signed: no manifest that was rewritten whole
passes."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from export import BundleSigner, check_signature
from export.bundle.signing import PASSPHRASE_VARIABLE, SIGNATURE_FILE
from tests.export import forging
from toolkit import cli
from toolkit import manifest as manifests
from toolkit.errors import InputError, WorkError


def write_keys(folder: Path, name: str, private, passphrase: bytes | None = None) -> tuple[Path, Path]:
    """Writes a private key and its public one."""
    protection = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    paths = folder / f"{name}.pem", folder / f"{name}.public.pem"
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[0].write_bytes(private.private_bytes(pem, form, protection))
    paths[1].write_bytes(private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return paths


@pytest.fixture
def keys(tmp_path):
    return write_keys(tmp_path, "key", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def signed(small_copy, keys):
    BundleSigner(keys[0]).sign(small_copy, small_copy.name)
    return small_copy


def test_a_signed_bundle_passes(signed, keys):
    check_signature(signed, keys[1])


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=["P-384", "P-521"])
def test_larger_curves_sign_as_well(small_copy, tmp_path, curve):
    private, public = write_keys(tmp_path, "large", ec.generate_private_key(curve))
    BundleSigner(private).sign(small_copy, "small")
    check_signature(small_copy, public)


@pytest.mark.slow
def test_export_signs_a_bundle_under_its_own_name_and_verify_checks_it(keys, tmp_path, capsys, small_sizes):
    bundle = tmp_path / "bundle"
    pair = ["--formats", "tflite", "--quantize", "float32", "--size", "64"]
    assert cli.run(["export", str(bundle), *pair, "--sign", str(keys[0])]) == 0
    envelope = json.loads((bundle / SIGNATURE_FILE).read_text())["dsseEnvelope"]
    assert json.loads(base64.b64decode(envelope["payload"]))["subject"][0]["name"] == "bundle"
    assert cli.run(["verify", str(bundle), "--key", str(keys[1])]) == 0
    assert "the signature holds" in capsys.readouterr().out
    assert cli.run(["verify", str(bundle)]) == 0
    assert "the signature was not checked: give --key" in capsys.readouterr().out


def rewrite_whole(bundle: Path) -> None:
    """Changes what a manifest claims and makes all its hashes right again."""
    forging.write(bundle, {**manifests.read(bundle), "created": "2020-01-01T00:00:00+00:00"})


def remove_the_card(bundle: Path) -> None:
    (bundle / "MODEL_CARD.md").unlink()


def add_a_file(bundle: Path) -> None:
    (bundle / ".gitignore").write_text("*\n")


def link_a_file(bundle: Path) -> None:
    (bundle / "link").symlink_to(bundle / "MODEL_CARD.md")


@pytest.mark.parametrize("change", [rewrite_whole, remove_the_card, add_a_file, link_a_file])
def test_whatever_was_changed_since_is_found(signed, keys, change):
    change(signed)
    with pytest.raises(WorkError, match="its signature does not hold"):
        check_signature(signed, keys[1])


def test_a_manifest_rewritten_whole_passes_without_the_key_alone(signed, keys, capsys):
    rewrite_whole(signed)
    assert cli.run(["verify", str(signed)]) == 0
    assert cli.run(["verify", str(signed), "--key", str(keys[1])]) == 1
    # The manifest and its digest file both differ; which of the two is named first depends on the threads that hash.
    # Quotes are escaped where a digest has one.
    assert re.search(r"Hash mismatch for \\*'manifest\.json(\.sha256)?\\*'", capsys.readouterr().err)


def test_publish_puts_nothing_into_the_base_path_without_the_signature(saved_model_bundle, keys, tmp_path, capsys):
    signed = Path(shutil.copytree(saved_model_bundle, tmp_path / "signed"))
    BundleSigner(keys[0]).sign(signed, "signed")
    rewrite_whole(signed)
    base = tmp_path / "models" / "stylizer"
    assert cli.run(["publish", str(signed), str(base), "--key", str(keys[1])]) == 1
    assert "its signature does not hold" in capsys.readouterr().err
    assert not base.exists()


def test_the_signature_of_another_key_is_refused(signed, tmp_path):
    _, public = write_keys(tmp_path, "other", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(WorkError, match="its signature does not hold: Key mismatch"):
        check_signature(signed, public)


def test_the_signature_of_another_key_is_refused_without_its_hint_too(signed, tmp_path, capsys):
    _, public = write_keys(tmp_path, "other", ec.generate_private_key(ec.SECP256R1()))
    path = signed / SIGNATURE_FILE
    bundle = json.loads(path.read_text())
    bundle["verificationMaterial"]["publicKey"]["hint"] = ""
    path.write_text(json.dumps(bundle))
    with pytest.raises(WorkError, match="its signature does not hold: it is not of this key"):
        check_signature(signed, public)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff" * 99, b'{"a":' * 5000, b"[]"])
def test_what_is_no_signature_is_refused_in_one_line(signed, keys, content):
    (signed / SIGNATURE_FILE).write_bytes(content)
    with pytest.raises(WorkError, match=r"\A[^\n]*its signature does not hold: [^\n]+\Z"):
        check_signature(signed, keys[1])


def test_a_pipe_under_the_name_of_the_signature_is_refused(signed, keys):
    (signed / SIGNATURE_FILE).unlink()
    os.mkfifo(signed / SIGNATURE_FILE)
    with pytest.raises(InputError, match="cannot be read: a pipe"):
        check_signature(signed, keys[1])


def test_a_bundle_that_was_not_signed_is_no_signed_bundle(small_copy, keys):
    with pytest.raises(InputError, match=r"not signed: it has no model\.sig"):
        check_signature(small_copy, keys[1])


def test_a_passphrase_comes_from_the_environment(small_copy, tmp_path, monkeypatch):
    private, public = write_keys(tmp_path, "kept", ec.generate_private_key(ec.SECP256R1()), b"correct horse")
    for given, reason in ((None, "Password was not given"), ("wrong", "cannot sign")):
        monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)
        if given:
            monkeypatch.setenv(PASSPHRASE_VARIABLE, given)
        with pytest.raises(InputError, match=reason):
            BundleSigner(private)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse")
    BundleSigner(private).sign(small_copy, "small")
    check_signature(small_copy, public)


def test_what_is_no_private_key_is_refused_before_any_work(keys, tmp_path, capsys):
    other, _ = write_keys(tmp_path, "rsa", rsa.generate_private_key(65537, 2048))
    (tmp_path / "folder").mkdir()
    bundle = tmp_path / "out" / "bundle"
    for key in (keys[1], other, tmp_path / "missing.pem", tmp_path / "folder"):
        assert cli.run(["export", str(bundle), "--sign", str(key)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"styleport: {key}: ")
        assert error.count("\n") == 1
    assert not bundle.exists()


def test_what_is_no_public_key_is_refused(signed, keys):
    with pytest.raises(InputError, match="not a public key in PEM form"):
        check_signature(signed, keys[0])


def test_the_tool_of_model_signing_takes_our_signatures_and_we_take_its(signed, keys, tmp_path):
    tool = [sys.executable, "-m", "model_signing"]
    ours = ["verify", "key", signed, "--signature", signed / SIGNATURE_FILE, "--public_key", keys[1]]
    subprocess.run([*tool, *ours], check=True, capture_output=True)
    again = Path(shutil.copytree(signed, tmp_path / "again"))
    (again / SIGNATURE_FILE).unlink()
    theirs = ["sign", "key", again, "--signature", again / SIGNATURE_FILE, "--private_key", keys[0]]
    subprocess.run([*tool, *theirs], check=True, capture_output=True)
    check_signature(again, keys[1])
