"""Settings that all code of a process shares, put back after code that may have changed them."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.nn.modules import module as modules

_HOOKS = (
    *("_global_forward_hooks", "_global_forward_hooks_always_called", "_global_forward_hooks_with_kwargs"),
    *("_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks"),
    *("_global_parameter_registration_hooks", "_global_module_registration_hooks", "_global_buffer_registration_hooks"),
)


@contextmanager
def shared_settings_kept() -> Iterator[None]:
    """Random generators, default type and device, gradients, threads, precision and global hooks as before, outside."""
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - what plug-ins may have drawn from
    generator = torch.get_rng_state()
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    gradients, threads = torch.is_grad_enabled(), torch.get_num_threads()
    deterministic, precision = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    autocast = torch.is_autocast_enabled("cpu")
    hooks = [(own, dict(own)) for own in (getattr(modules, name, None) for name in _HOOKS) if own is not None]
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(generator)
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        torch.set_grad_enabled(gradients)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.set_float32_matmul_precision(precision)
        torch.set_autocast_enabled("cpu", autocast)
        for current, before in hooks:
            if current != before:
                current.clear()
                current.update(before)
