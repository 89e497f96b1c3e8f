"""The network: where requests go and with which key (`target`), and the connection itself (`wire`)."""
