#!/usr/bin/env python3
"""The first images of Fashion-MNIST, in every format that the trainer reads: data_formats.py FOLDER

idx, emnist, npy, npy-float, csv: the same images.  cifar-10, cifar-100: in the middle of 32x32 pixels of three
channels."""
import gzip
import os
import struct
import sys

SOURCE = "/usr/share/datasets/fashion-mnist"
COUNTS = {"train": 600, "t10k": 200}


def load(part, count):
    with gzip.open(f"{SOURCE}/{part}-images-idx3-ubyte.gz") as f:
        images = f.read(16 + count * 784)[16:]
    with gzip.open(f"{SOURCE}/{part}-labels-idx1-ubyte.gz") as f:
        labels = f.read(8 + count)[8:]
    return images, labels


def write(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "wb") as f:
        f.write(data)


def idx(dims, data):
    return struct.pack(f">BBBB{len(dims)}I", 0, 0, 8, len(dims), *dims) + data


def npy(descr, shape, data, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    front = 8 + (2 if version == 1 else 4)
    header += b" " * (-(front + len(header) + 1) % 64) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + data


def csv(images, labels, header, end):
    lines = [",".join(["label"] + [f'"pixel {i}"' for i in range(784)])] if header else []
    for i, label in enumerate(labels):
        pixels = images[i * 784:(i + 1) * 784]
        lines.append(",".join([str(label)] + [repr(p / 255) if p else "0" for p in pixels]))
    return end.join(lines + [""]).encode()


def cifar(images, labels, coarse):
    records = []
    for i, label in enumerate(labels):
        plane = bytearray(32 * 32)
        for row in range(28):
            at = i * 784 + row * 28
            plane[(row + 2) * 32 + 2:(row + 2) * 32 + 30] = images[at:at + 28]
        head = bytes([label // 2, label]) if coarse else bytes([label])
        records.append(head + bytes(plane) * 3)
    return records


def main(out):
    for part, count in COUNTS.items():
        images, labels = load(part, count)
        other = "test" if part == "t10k" else part
        write(f"{out}/idx", f"{part}-images-idx3-ubyte", idx([count, 28, 28], images))
        write(f"{out}/idx", f"{part}-labels-idx1-ubyte", idx([count], labels))
        write(f"{out}/emnist", f"emnist-mnist-{other}-images-idx3-ubyte.gz",
              gzip.compress(idx([count, 28, 28], images)))
        write(f"{out}/emnist", f"emnist-mnist-{other}-labels-idx1-ubyte", idx([count], labels))
        write(f"{out}/npy", f"{other}-images.npy", npy("|u1", (count, 28, 28), images))
        write(f"{out}/npy", f"{other}-labels.npy",
              npy("<i8", (count,), struct.pack(f"<{count}q", *labels)))
        floats = struct.pack(f"<{len(images)}f", *(p / 255 for p in images))
        write(f"{out}/npy-float", f"{other}-images.npy", npy("<f4", (count, 1, 28, 28), floats, 2))
        write(f"{out}/npy-float", f"{other}-labels.npy", npy("|u1", (count,), labels))
        write(f"{out}/csv", f"{other}.csv",
              csv(images, labels, part == "train", "\n" if part == "train" else "\r\n"))
        ten, hundred = cifar(images, labels, False), cifar(images, labels, True)
        write(f"{out}/cifar-100", f"{other}.bin", b"".join(hundred))
        if part == "t10k":
            write(f"{out}/cifar-10", "test_batch.bin", b"".join(ten))
        for i in range(5 if part == "train" else 0):
            write(f"{out}/cifar-10", f"data_batch_{i + 1}.bin",
                  b"".join(ten[i * count // 5:(i + 1) * count // 5]))


main(sys.argv[1])
