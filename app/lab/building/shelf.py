"""All stories, in the order in which the demo tells them."""

from app.lab.building import all_quiet, image_typo, lost_endpoints, node_storm, payment_gateway, slow_release

STORIES = (payment_gateway.build, slow_release.build, node_storm.build, image_typo.build, lost_endpoints.build, all_quiet.build)
