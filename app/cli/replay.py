"""`sre-agent replay ID`: the same investigation once more, from its trail alone."""

import sys

from app.agent.replay import replay
from app.domain.errors import CannotStart, ReplayDiverged
from app.domain.render import to_text
from app.main import build
from app.settings import Settings, variable


async def replay_one(settings: Settings, investigation_id: str) -> int:
    """Exit code: 0 same bytes, 1 another report or a trail that does not hold all, 2 unknown investigation."""
    if not settings.database_url and not (settings.data_dir / "sre-agent.db").is_file():
        raise CannotStart(f"{variable('data_dir')}={settings.data_dir} holds no database: name the folder of the service")
    application = build(settings)
    stores = application.stores
    await stores.start()
    try:
        investigation = await stores.investigations.get(investigation_id)
        if investigation is None:
            print(f"no investigation {investigation_id} in {stores.engine.url.render_as_string()}", file=sys.stderr)
            return 2
        replayed = await replay(application.agent, investigation, await stores.trail.read(investigation_id, limit=None))
    except ReplayDiverged as diverged:
        print(f"the replay stopped: {diverged}", file=sys.stderr)
        return 1
    finally:
        await stores.stop()
        application.us.close()
    print(to_text(replayed.outcome))
    for difference in replayed.differences:
        print(f"differs ({difference.significance}): {difference.field}", file=sys.stderr)
    print("same bytes as recorded" if replayed.is_exact_match else "not the same bytes as recorded", file=sys.stderr)
    return 0 if replayed.is_exact_match else 1
