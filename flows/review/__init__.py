"""Where holds are answered.

What is asked with its evidence, the one place that records an answer, and a local web page.
"""
