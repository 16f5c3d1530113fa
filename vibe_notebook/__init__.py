"""tqdm for AI agents."""
