"""All of Prefect: flows, deployments, events and artifacts."""
