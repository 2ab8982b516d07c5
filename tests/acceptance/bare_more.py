"""Loops by hand for the runtimes that are large, live elsewhere, or are programs."""

from __future__ import annotations

import json
import mmap
import os
import socket
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter_ns as clock

import numpy as np
from bare_pair import Images, Turn


def bare_torch(model: Path, images: Images) -> Turn:
    """The exported program's module, its input a tensor that shares memory, in inference mode."""
    import torch

    torch.set_num_threads(1)
    module = torch.export.load(model.open("rb")).module().requires_grad_(requires_grad=False)
    x = np.empty_like(images[0])
    shared = torch.from_numpy(x)
    # The module's own call would look at hooks and guards; what it does below is this.
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    for node in [one for one in module.graph.nodes if one.op == "call_module"]:
        module.graph.erase_node(node)
    module.recompile()
    run = module.forward

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        with torch.inference_mode():
            for slot in slots:
                x[...] = images[slot]
                start = clock()
                y = run(shared)
                taken.append(clock() - start)
        turn.last = y  # type: ignore[attr-defined] # what it computed is kept, as ours is
        return taken

    return turn


def bare_tensorflow(model: Path, images: Images) -> Turn:
    """A concrete function by its name, below TensorFlow's Python, on a tensor that shares memory.

    The public ``f(x)`` and even ``f._call_flat`` go through more than 10 us of Python.
    """
    import tensorflow as tf
    from tensorflow.python import pywrap_tfe

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(model).extractall(folder)
        loaded = tf.saved_model.load(folder)
    signature = loaded.signatures["serving_default"]
    run = tf.function(lambda x: signature(x)["logits"])
    concrete = run.get_concrete_function(tf.TensorSpec(images[0].shape, tf.float32))
    raw = np.zeros(images[0].nbytes + 64, np.uint8)
    place = -raw.ctypes.data % 64
    x = raw[place : place + images[0].nbytes].view(np.float32).reshape(images[0].shape)
    given = [tf.experimental.dlpack.from_dlpack(x.__dlpack__())]
    inner = concrete._inference_function
    context, name, run = inner._bound_context, inner.name, pywrap_tfe.TFE_Py_Execute
    config = context.function_call_options.config_proto_serialized
    handle, how = context._handle, ("executor_type", "", "config_proto", config)

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x[...] = images[slot]
            start = clock()
            y = run(handle, "", name, given, how, 1)
            taken.append(clock() - start)
        turn.last = y  # type: ignore[attr-defined] # what it computed is kept, as ours is
        return taken

    turn.keeps = concrete, loaded  # type: ignore[attr-defined] # the name alone keeps no function
    return turn


def bare_edge_impulse(model: Path, images: Images) -> Turn:
    """A plain socket, and numpy on the executable's shared memory."""
    path = model.parent / "bare"
    subprocess.Popen([str(model), str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    while client.connect_ex(str(path)):
        time.sleep(0.01)
    client.sendall(b'{"hello": 1, "id": 1}')
    told = json.loads(client.recv(1 << 16)[:-1])["features_shm"]
    file = os.open(f"/dev/shm{told['name']}", os.O_RDWR)  # noqa: S108 - shm_open(3)
    x = np.frombuffer(mmap.mmap(file, told["size_bytes"]), np.float32)
    request = b'{"classify_shm": {"elements": %d}, "id": 2}' % len(x)
    weights = np.array([1 << 16, 1 << 8, 1] if images[0].shape[3] == 3 else [0x010101])
    features = [np.rint(image * 255).reshape(len(x), -1) @ weights for image in images]
    reply = bytearray(1 << 16)
    send, receive = client.sendall, client.recv_into

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x[...] = features[slot]
            start = clock()
            send(request)
            while reply[receive(reply) - 1]:
                pass
            taken.append(clock() - start)
        return taken

    return turn
