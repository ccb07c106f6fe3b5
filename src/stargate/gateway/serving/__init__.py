"""The data plane: requests in, answers through, each attempt on record before its last byte leaves."""
