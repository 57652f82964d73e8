# SPDX-License-Identifier: Apache-2.0
"""The names that an ELF shared object defines for others (ELF gABI, chapters 4 and 5)."""

import struct

SHT_DYNSYM = 11
SHN_UNDEF = 0
LOCAL_BINDING = 0
HIDDEN_VISIBILITIES = (1, 2)


def exported_symbols(path):
    """Sorted names of the global, visible, defined dynamic symbols. Raises ValueError for no ELF."""
    with open(path, "rb") as stream:
        data = stream.read()
    if data[:4] != b"\x7fELF":
        raise ValueError("%s is no ELF file" % path)
    wide = data[4:5] == b"\x02"
    order = "<" if data[5:6] == b"\x01" else ">"
    if wide:
        (table_offset,) = struct.unpack_from(order + "Q", data, 40)
        entry_size, count = struct.unpack_from(order + "HH", data, 58)
    else:
        (table_offset,) = struct.unpack_from(order + "I", data, 32)
        entry_size, count = struct.unpack_from(order + "HH", data, 46)
    sections = []
    for index in range(count):
        start = table_offset + index * entry_size
        if wide:
            (kind,) = struct.unpack_from(order + "I", data, start + 4)
            offset, size = struct.unpack_from(order + "QQ", data, start + 24)
            (link,) = struct.unpack_from(order + "I", data, start + 40)
        else:
            (kind,) = struct.unpack_from(order + "I", data, start + 4)
            offset, size, link = struct.unpack_from(order + "III", data, start + 16)
        sections.append((kind, offset, size, link))
    names = set()
    for kind, offset, size, link in sections:
        if kind == SHT_DYNSYM:
            names.update(_defined(data, order, wide, offset, size, sections[link][1]))
    return sorted(names)


def _defined(data, order, wide, offset, size, strings):
    step = 24 if wide else 16
    for start in range(offset, offset + size, step):
        if wide:
            name, info, other, section = struct.unpack_from(order + "IBBH", data, start)
        else:
            (name,) = struct.unpack_from(order + "I", data, start)
            info, other, section = struct.unpack_from(order + "BBH", data, start + 12)
        if section == SHN_UNDEF or info >> 4 == LOCAL_BINDING or other & 3 in HIDDEN_VISIBILITIES:
            continue
        end = data.index(b"\0", strings + name)
        text = data[strings + name : end].decode("ascii", "replace")
        if text:
            yield text
