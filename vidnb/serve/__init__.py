"""What other programs call: the desk behind MCP and HTTP, and the receiver of webhooks."""
