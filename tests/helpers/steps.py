"""A training step of a model beside one that was computed otherwise."""

import numpy as np


def weights_of(network) -> list[np.ndarray]:
    return [w.numpy().astype("float64") for w in network.trainable_weights]


def check_step(model, real_images, expected, atol=1e-7) -> None:
    """Train `model` for one iteration and compare its weights and losses with the expected."""
    critic, generator, losses = expected
    before = int(model.iteration)
    logs = model.train_on_batch(real_images, return_dict=True)
    assert int(model.iteration) == before + 1
    for name, loss in losses.items():
        np.testing.assert_allclose(logs[name], loss, rtol=1e-4, err_msg=name)
    for network, wanted in ((model.critic, critic), (model.generator, generator)):
        for found, weight in zip(weights_of(network), wanted, strict=True):
            np.testing.assert_allclose(found, weight, rtol=1e-4, atol=atol)
