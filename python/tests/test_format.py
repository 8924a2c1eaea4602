"""A reader of the file format written from core/docs/format.md and core/docs/store.md alone.

It shares no code with the library: HMAC and SHA of the standard library, AES-GCM and Ed25519 of `cryptography`, zstd of
`zstandard`. It does not read the engine's tree: an envelope says by its commitment whether it is the one looked for, so every
place in the file is tried.
"""

import base64
import hashlib
import hmac
import struct
from pathlib import Path
from typing import Callable, NamedTuple

import ehrcore
import pytest

WHY = "SKIPPED LOUDLY: the format was not read by a second reader, for want of cryptography and zstandard"
aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead", reason=WHY)
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519", reason=WHY)
zstandard = pytest.importorskip("zstandard", reason=WHY)

KEY = bytes(range(32))
RECORD = b'{"resourceType":"Patient","id":"p1","name":[{"family":"Doe"}],"birthDate":"1970-01-01"}'
DICTIONARY = Path(__file__).parents[2] / "core/src/vault/dictionary.bin"
ROOT_KEY, PATIENT_KEY, BLOCK, KEY_TREE, GROUP_KEY = 1, 2, 4, 30, 36
HEADER = 1 + 4 + 24 + 32


def expand(key, info, length):
    """HKDF-Expand[SHA-512] (RFC 5869)."""
    out, block = b"", b""
    for number in range(1, length // 64 + 2):
        block = hmac.new(key, block + info + bytes([number]), hashlib.sha512).digest()
        out += block
    return out[:length]


def place(store, patient, row, number, *, part=0, codec=0, dictionary=0, labels=b""):
    fixed = struct.pack(">B16sIBBQQBIIx", 1, store, patient, 0, row, number, part, codec, dictionary, len(labels))
    return hashlib.sha256(fixed + labels).digest()


class Envelope:
    """What an envelope of this key and this place looks like."""

    def __init__(self, key, context, epoch=0):
        self.key, self.context, self.front = key, context, b"\1" + epoch.to_bytes(4, "big")

    def derive(self, salt):
        info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + self.context
        material = expand(self.key, info, 32 + 12 + 32)
        return material[:32], material[32:44], material[44:]

    def open(self, sealed):
        assert sealed[:5] == self.front
        key, nonce, commitment = self.derive(sealed[5:29])
        assert sealed[29:HEADER] == commitment
        plain, chunks, number = b"", sealed[HEADER:], 0
        while True:
            chunk, chunks = chunks[: 16384 + 16], chunks[16384 + 16 :]
            counted = nonce[:4] + (int.from_bytes(nonce[4:], "big") ^ number).to_bytes(8, "big")
            opened = aead.AESGCM(key).decrypt(counted, chunk, None)
            plain, number = plain + opened, number + 1
            if len(opened) < 16384:
                assert not chunks
                return plain

    def find(self, data, lengths, before=b""):
        """Opens the first envelope of this key and place in the bytes; its length is one of those."""
        start = before + self.front
        at = data.find(start)
        while at >= 0:
            head = data[at + len(before) :][:HEADER]
            if len(head) == HEADER and self.derive(head[5:29])[2] == head[29:]:
                for length in lengths:
                    try:
                        return self.open(data[at + len(before) :][: HEADER + length + 16])
                    except Exception:  # another length
                        continue
            at = data.find(start, at + 1)
        raise AssertionError("no envelope of this key and place")


def padme(length):
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def number(data, at):
    """LEB128."""
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


PAGE = 4096
ZEROS, MAP, STALE = 0xFFFFFFFF, 0xFFFFFFFE, 1 << 31


def superblock(data, key, store):
    """The root of the newer superblock."""
    roots = []
    for at in (0, PAGE):
        block = data[at : at + PAGE]
        context = b"ehrcore superblock v1" + store + hashlib.sha256(block[:3968]).digest()
        root = key.decrypt(block[3968:3980], block[3980:4076], context)
        roots.append(struct.unpack(">QQIQ12s16sIIIIII", root))
    return max(roots)


def rows(plain):
    """The rows of a checkpoint or of a record of the log: what, nonce, tag."""
    return [struct.unpack(">I12s16s", plain[at : at + 32]) for at in range(0, len(plain), 32)]


def storage(data, key, store):
    """What the sealed slots of the file hold, as the storage engine sees it."""
    _, generation, closed, length, nonce, tag, *twice = superblock(data, key, store)
    assert closed > 0, "the file was not closed in order"
    (first, again, slots), (log, log_again, log_slots) = twice[:3], twice[3:]
    for one, other, count in ((first, again, slots), (log, log_again, log_slots)):
        assert data[one * PAGE : (one + count) * PAGE] == data[other * PAGE : (other + count) * PAGE], "both copies say the same"
    sealed = data[first * PAGE : first * PAGE + length] + tag
    plain = key.decrypt(nonce, sealed, b"ehrcore checkpoint v1" + store + struct.pack(">Q", generation))
    size, slots = int.from_bytes(plain[:8], "big"), dict(enumerate(rows(plain[8:])))
    used = 0
    while used < closed - 1:
        at = (log + used) * PAGE
        count = int.from_bytes(data[at + 12 : at + 16], "big")
        context = b"ehrcore log v1" + store + struct.pack(">QI", generation, used)
        plain = key.decrypt(data[at : at + 12], data[at + 16 : at + 16 + count + 16], context)
        size, changes = int.from_bytes(plain[:8], "big"), {}
        for here in range(12, len(plain), 36):
            changes[int.from_bytes(plain[here : here + 4], "big")] = rows(plain[here + 4 : here + 36])[0]
        gone = {row[0] & ~STALE for row in changes.values() if row[0] < MAP}
        slots = {slot: row for slot, row in slots.items() if row[0] not in gone} | changes
        used += -(-(count + 32) // PAGE)
    pages = bytearray(-(-size // PAGE) * PAGE)
    for slot, (page, nonce, tag) in slots.items():
        if page < STALE and page * PAGE < size:
            context = b"ehrcore page v1" + store + struct.pack(">I", page)
            pages[page * PAGE : (page + 1) * PAGE] = key.decrypt(nonce, data[slot * PAGE : (slot + 1) * PAGE] + tag, context)
    return bytes(pages[:size])


def read(file, key):
    """The storage in a store that a raw key opens, and its keys."""
    data = file.read_bytes()
    assert data.startswith(b"ehrcore\x1a\0\2") and b"Doe" not in data
    at = 12
    assert data[at : at + 11] == b"EHRCORE\0\0\1\1"
    store, revision, epoch = struct.unpack(">16sII", data[at + 11 : at + 35])
    wraps, tree, here = {}, None, at + 36
    for _ in range(data[at + 35]):
        kind, length = struct.unpack(">BH", data[here : here + 3])
        value = data[here + 3 : here + 3 + length]
        if kind == 128:
            wraps[value[1 : 1 + value[0]].decode()] = value[1 + value[0] :]
        else:
            assert kind == 129
            tree = value
        here += 3 + length
    labels = b"ehrcore root v1 " + store + epoch.to_bytes(4, "big")
    root = Envelope(key, place(bytes(16), 0, ROOT_KEY, 0, labels=labels)).open(wraps["raw"])

    def derived(under, purpose):
        return expand(under, b"ehrcore v1 " + purpose + store, 32)

    assert data[here : here + 32] == hmac.new(derived(root, b"header"), data[at:here], hashlib.sha256).digest()
    plain = Envelope(derived(root, b"key tree"), place(store, 0, KEY_TREE, epoch, part=revision), epoch).open(tree)
    version, master, _, page, count = struct.unpack(">B32sI32sB", plain[:70])
    assert version == 1 and len(plain) == 70 + 36 * count
    epochs = dict(struct.unpack(">I32s", plain[at : at + 36]) for at in range(70, len(plain), 36))
    keys = Keys(store, epochs, lambda purpose: derived(master, purpose))
    return storage(data, aead.AESGCM(page), store), keys


class Keys(NamedTuple):
    """The keys of a store."""

    store: bytes
    epochs: dict  # epoch to the key that wraps keys of groups of patients
    derived: Callable  # of a purpose


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "clinic.ehr"
    with ehrcore.create(file, key=KEY) as store:
        with store.session(actor="dr-grey", role="physician", purpose="TREAT") as session:
            session.write(RECORD)
    return file


def test_a_record_is_opened_from_the_written_format_alone(file):
    data, keys = read(file, KEY)
    assert b"Doe" not in data
    assert block_of(data, keys).endswith(RECORD)


def block_of(data, keys):
    """The first block of the first patient."""
    store, (epoch,) = keys.store, keys.epochs
    group_key = Envelope(keys.epochs[epoch], place(store, 0, GROUP_KEY, 0), epoch).find(data, [32])
    patient_key = Envelope(group_key, place(store, 1, PATIENT_KEY, 0)).find(data, [32])
    lengths = sorted({padme(length) for length in range(8, 16384)})
    sealed = Envelope(patient_key, place(store, 1, BLOCK, 0, codec=2, dictionary=1))
    packed = sealed.find(data, lengths, before=b"\2")
    length, plain_length = struct.unpack(">II", packed[:8])
    assert packed[8 + length :].strip(b"\0") == b"" and len(packed) == padme(8 + length)
    dictionary = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
    block = zstandard.ZstdDecompressor(dict_data=dictionary).decompress(
        packed[8 : 8 + length], max_output_size=plain_length
    )
    assert len(block) == plain_length
    commit, at = number(block, 0)
    _, at = number(block, at)  # when
    actor_length, at = number(block, at)
    assert commit > 0 and block[at : at + actor_length] == b"dr-grey"
    return block


def test_what_stands_in_an_index_is_the_token_that_is_written_down(file):
    data, keys = read(file, KEY)
    message = b"".join(struct.pack(">I", len(part)) + part for part in (b"id", b"p1"))
    token = hmac.new(keys.derived(b"token key"), message, hashlib.sha256).digest()
    assert token[:12] in data


def test_the_head_of_the_audit_log_is_signed_by_the_key_that_is_written_down(file):
    data, keys = read(file, KEY)
    public = ed25519.Ed25519PrivateKey.from_private_bytes(keys.derived(b"signing seed")).public_key()
    # The row: size 8, root 32, signature 64. Whichever place of the file it is at, its signature says so.
    for size in range(1, 20):
        prefix, at = size.to_bytes(8, "big"), -1
        while (at := data.find(prefix, at + 1)) >= 0:
            root, signature = data[at + 8 : at + 40], data[at + 40 : at + 104]
            text = f"ehrcore/{keys.store.hex()}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
            try:
                public.verify(signature, text)
                return
            except Exception:  # not the head
                continue
    raise AssertionError("no head that the key verifies")
