"""All stories: first those of the demo, in its order, then the others."""

from app.lab.building import (
    all_quiet,
    bad_setting,
    blind_autoscaler,
    drained_node,
    full_disk,
    full_quota,
    image_typo,
    liveness_port,
    lost_endpoints,
    missing_class,
    node_storm,
    payment_gateway,
    slow_leak,
    slow_release,
    tainted_pool,
)

_DEMO = (payment_gateway.build, slow_release.build, node_storm.build, image_typo.build, lost_endpoints.build, all_quiet.build)
_MORE = (liveness_port.build, tainted_pool.build, missing_class.build, full_quota.build, bad_setting.build, slow_leak.build)
STORIES = (*_DEMO, *_MORE, blind_autoscaler.build, drained_node.build, full_disk.build)
