"""The live page in a browser: what the stream says, drawn as it comes; it holds no formula."""
