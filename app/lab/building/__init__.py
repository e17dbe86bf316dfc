"""Writes the hand-made scenarios: stories in Python -> snapshot folders in `app/lab/scenarios`. `python -m app.lab.building`
makes them anew; a test holds that the files are what the stories say."""
