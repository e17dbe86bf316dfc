"""The lab's Kubernetes API server: a world -> what an API server 1.36 answers, over HTTP."""
