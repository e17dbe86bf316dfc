"""PromQL over a handful of series: the part of the language that templates and rules use, with Prometheus' own numbers
(2.42: range windows closed on both sides). A contract test compares it with a real Prometheus."""
