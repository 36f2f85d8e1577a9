"""What a run would be, without one: its settings, its layers and what it would cost."""

from wgan_gp.runs.plan import Plan
from wgan_gp.support.saying import answer


def print_plan(plan: Plan, done: int) -> None:
    """Say the settings, the layers and the estimated cost, once there are images to train on.

    Of a run to go on with, `done` iterations are done.
    """
    from wgan_gp.data.images import count_pictures
    from wgan_gp.data.stream import check_enough
    from wgan_gp.networks import build_critic, build_critic_features, build_generator
    from wgan_gp.runs.cost import iteration_tflop, matrix_product_tflops, memory_remedy
    from wgan_gp.support.memory import enough_memory

    config, found = plan.config, count_pictures(plan.data, plan.data_dir)
    if found is not None:
        check_enough(found, config)
    with enough_memory(memory_remedy(config)):
        generator, critic = build_generator(config), build_critic(config)
        features = build_critic_features(config)
    answer(config.to_json())
    generator.summary()
    if features is not None:
        features.summary()
    critic.summary()
    tflop = iteration_tflop(config, generator, critic, features)
    speed = matrix_product_tflops()
    answer(_cost(tflop, speed, config.iterations))
    if found is not None:
        answer(f"Pictures found: {found:,}.")
    if done:
        left = _duration(tflop / speed * max(0, config.iterations - done))
        answer(f"{done:,} of {config.iterations:,} iterations are done already: {left} are left.")


def _cost(tflop: float, speed: float, iterations: int) -> str:
    """What `iterations` of `tflop` each cost, at a speed in TFLOP/s."""
    seconds = tflop / speed
    return (
        f"Cost: {tflop:.3g} TFLOP an iteration, {_number(tflop * iterations)} TFLOP in all.\n"
        f"A large float32 matrix product has just reached {speed:.2g} TFLOP/s on one device; other "
        f"work there slows it down. At that speed it is at least {_number(seconds)} s an iteration "
        f"and {_duration(seconds * iterations)} (h:mm:ss) in all; narrow layers take longer, more "
        f"devices and half precision may take less."
    )


def _number(value: float) -> str:
    """Two digits or more, and no exponent where there are hundreds."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
