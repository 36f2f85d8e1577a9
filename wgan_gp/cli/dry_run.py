"""What a run would be, without one: its settings, its layers and what it would cost."""

from datetime import timedelta

from wgan_gp.runs.plan import Plan
from wgan_gp.support.saying import say


def print_plan(plan: Plan) -> None:
    """Say the settings, the layers and the estimated cost, once there are images to train on."""
    from wgan_gp.data.images import check_source
    from wgan_gp.networks import build_critic, build_critic_features, build_generator
    from wgan_gp.runs.cost import iteration_tflop, matrix_product_tflops, memory_remedy
    from wgan_gp.support.memory import enough_memory

    check_source(plan.data, plan.data_dir)
    config = plan.config
    with enough_memory(memory_remedy(config)):
        generator, critic = build_generator(config), build_critic(config)
        features = build_critic_features(config)
    say(config.to_json())
    generator.summary()
    if features is not None:
        features.summary()
    critic.summary()
    tflop = iteration_tflop(config, generator, critic, features)
    speed = matrix_product_tflops()
    say(
        f"Cost: {tflop:.3g} TFLOP an iteration, {tflop * config.iterations:,.4g} TFLOP in all.\n"
        f"At the {speed:.2g} TFLOP/s of a large float32 matrix product on one device that is "
        f"at least {tflop / speed:.2g} s an iteration and "
        f"{timedelta(seconds=round(config.iterations * tflop / speed))} (h:mm:ss) in all; narrow "
        f"layers take longer, more devices and half precision may take less."
    )
