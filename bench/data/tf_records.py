"""Files of TFRecords that hold examples with features: where the records lie, and what a feature holds.

A record is its length (8 bytes), a masked CRC-32C of that, its bytes, and a CRC of these, which is not checked. An
example is a message of protocol buffers: a map from names to lists of bytes or of integers.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from bench.errors import HeatmarkError

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits reversed


def record_places(path: Path) -> list[tuple[int, int]]:
    """Start and length of each record's bytes; HeatmarkError where the file is cut off or none of TFRecords."""
    places, at, size = [], 0, path.stat().st_size
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(12)
            if len(head) < 12 or struct.unpack("<I", head[8:])[0] != _masked_crc(head[:8]):
                raise HeatmarkError(f"{path} is no file of TFRecords at byte {at}, or is damaged there")
            (length,) = struct.unpack("<Q", head[:8])
            if at + 16 + length > size:
                raise HeatmarkError(f"{path} is cut off: {size:,} bytes, expected {at + 16 + length:,} or more")
            places.append((at + 12, length))
            at += 16 + length
    return places


def feature(record: bytes, name: str) -> bytes | int | None:
    """The first value of a feature of an example; None where it has none. ValueError where the bytes are no example."""
    for features in _parts(memoryview(record), 1):
        for entry in _parts(features, 1):
            if any(bytes(key) == name.encode() for key in _parts(entry, 1)):
                for value in _parts(entry, 2):
                    return _first(value)
    return None


def _first(value: memoryview) -> bytes | int | None:
    """The first value of a list of bytes (field 1) or of integers (field 3, packed or not)."""
    for values in _parts(value, 1):
        for found in _parts(values, 1):
            return bytes(found)
    for values in _parts(value, 3):
        for number, content in _fields(values):
            if number == 1:
                return content if isinstance(content, int) else _varint(content, 0)[0]
    return None


def _parts(message: memoryview, wanted: int) -> Iterator[memoryview]:
    """The contents of all fields of this number that hold bytes."""
    for number, content in _fields(message):
        if number == wanted and not isinstance(content, int):
            yield content


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and content of each field of a message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("the bytes are no example")
        if at + length > len(message):
            raise ValueError("the bytes are no example")
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer of seven bits a byte, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        value |= (message[at] & 127) << shift
        at += 1
        if message[at - 1] < 128:
            return value, at
    raise ValueError("the bytes are no example")


def _masked_crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
