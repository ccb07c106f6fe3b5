"""Configurations as Hugging Face keeps them, cut to the keys that say something about dimensions."""

from __future__ import annotations

from typing import Any

WINDOW, FULL, LINEAR = "sliding_attention", "full_attention", "linear_attention"
MAMBAS = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-"
SUPER = "MEMEMEM*EMEMEMEM*EMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEMEM*EMEMEMEM*EMEMEMEME"


def config(kind: str, layers: int, hidden: int, vocabulary: int, context: int, **rest: Any) -> dict[str, Any]:
    """The keys that nearly every configuration has."""
    return {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "vocab_size": vocabulary,
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-6,
        "torch_dtype": "bfloat16",
        **rest,
    }


def heads(count: int, kv: int, dim: int | None = None) -> dict[str, Any]:
    """Of grouped queries."""
    named = {} if dim is None else {"head_dim": dim}
    return {"num_attention_heads": count, "num_key_value_heads": kv, **named}


def latent(count: int, q_rank: int | None = 1536, nope: int = 128, value: int = 128) -> dict[str, Any]:
    """Of latent attention; key-value heads are named there and mean nothing."""
    return {
        **heads(count, count),
        "q_lora_rank": q_rank,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": nope,
        "v_head_dim": value,
    }


def experts(count: int, active: int, ffn: int, shared: int = 0, dense: int = 0) -> dict[str, Any]:
    """As DeepSeek's configurations say it."""
    return {
        "n_routed_experts": count,
        "num_experts_per_tok": active,
        "moe_intermediate_size": ffn,
        "n_shared_experts": shared or None,
        "first_k_dense_replace": dense,
        "moe_layer_freq": 1,
    }


def index(count: int, topk: int = 2048) -> dict[str, Any]:
    """Of a sparse indexer."""
    return {"index_n_heads": count, "index_head_dim": 128, "index_topk": topk}


def delta_net(value_heads: int) -> dict[str, Any]:
    """Of Qwen's gated delta nets."""
    return {
        "linear_num_key_heads": 16,
        "linear_num_value_heads": value_heads,
        "linear_key_head_dim": 128,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
        "mamba_ssm_dtype": "float32",
    }


def mamba(count: int, state: int) -> dict[str, Any]:
    """Of Nemotron-H's layers."""
    return {
        "mamba_num_heads": count,
        "mamba_head_dim": 64,
        "n_groups": 8,
        "ssm_state_size": state,
        "conv_kernel": 4,
    }


def nested(kind: str, text: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """Of a model that also sees."""
    return {"model_type": kind, "text_config": text, "vision_config": {"hidden_size": 1152}, **rest}


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "Llama-3.1-8B": config("llama", 32, 4096, 128256, 131072, intermediate_size=14336, **heads(32, 8)),
    "Llama-3.2-1B": config(
        "llama", 16, 2048, 128256, 131072, intermediate_size=8192, tie_word_embeddings=True, **heads(32, 8, 64)
    ),
    "Mistral-7B": config(
        "mistral", 32, 4096, 32000, 32768, intermediate_size=14336, sliding_window=4096, **heads(32, 8)
    ),
    "Qwen2.5-7B": config(
        "qwen2", 28, 3584, 152064, 32768, intermediate_size=18944, sliding_window=131072, use_sliding_window=False,
        max_window_layers=28, **heads(28, 4),
    ),
    "Qwen3-8B": config(
        "qwen3", 36, 4096, 151936, 40960, intermediate_size=12288, sliding_window=None, use_sliding_window=False,
        max_window_layers=36, tie_word_embeddings=False, **heads(32, 8, 128),
    ),
    "Qwen3-235B-A22B": config(
        "qwen3_moe", 94, 4096, 151936, 40960, intermediate_size=12288, num_experts=128, num_experts_per_tok=8,
        moe_intermediate_size=1536, decoder_sparse_step=1, mlp_only_layers=[], **heads(64, 4, 128),
    ),
    "Qwen3-Next-80B-A3B": config(
        "qwen3_next", 48, 2048, 151936, 262144, intermediate_size=5120, num_experts=512, num_experts_per_tok=10,
        moe_intermediate_size=512, shared_expert_intermediate_size=512, full_attention_interval=4,
        num_nextn_predict_layers=1, **heads(16, 2, 256), **delta_net(32),
    ),
    "Qwen3-VL-4B": nested(
        "qwen3_vl",
        config("qwen3_vl_text", 36, 2560, 151936, 262144, intermediate_size=9728, **heads(32, 8, 128)),
        tie_word_embeddings=True,
    ),
    "Qwen3.5-397B-A17B": nested(
        "qwen3_5_moe",
        config(
            "qwen3_5_moe_text", 60, 4096, 248320, 262144, layer_types=[LINEAR, LINEAR, LINEAR, FULL] * 15,
            attn_output_gate=True, num_experts=512, num_experts_per_tok=10, moe_intermediate_size=1024,
            shared_expert_intermediate_size=1024, mtp_num_hidden_layers=1, **heads(32, 2, 256), **delta_net(64),
        ),
        tie_word_embeddings=False,
    ),
    "DeepSeek-V2-Lite": config(
        "deepseek_v2", 27, 2048, 102400, 163840, intermediate_size=10944, **latent(16, None),
        **experts(64, 6, 1408, 2, 1),
    ),
    "DeepSeek-V3": config(
        "deepseek_v3", 61, 7168, 129280, 163840, intermediate_size=18432, num_nextn_predict_layers=1, **latent(128),
        **experts(256, 8, 2048, 1, 3),
    ),
    "DeepSeek-V3.2": config(
        "deepseek_v32", 61, 7168, 129280, 163840, intermediate_size=18432, num_nextn_predict_layers=1, **latent(128),
        **experts(256, 8, 2048, 1, 3), **index(64),
    ),
    "DeepSeek-V4-Flash": config(
        "deepseek_v4", 43, 4096, 129280, 1048576, head_dim=512, num_attention_heads=64, num_key_value_heads=1,
        q_lora_rank=1024, qk_rope_head_dim=64, o_groups=8, o_lora_rank=1024, sliding_window=128, num_hash_layers=3,
        num_nextn_predict_layers=1, compress_ratios=[0, 0, *[4, 128] * 20, 4, 0], **experts(256, 6, 2048, 1),
        **index(64, 512),
    ),
    "gpt-oss-120b": config(
        "gpt_oss", 36, 2880, 201088, 131072, intermediate_size=2880, num_local_experts=128, experts_per_token=4,
        num_experts_per_tok=4, sliding_window=128, layer_types=[WINDOW, FULL] * 18, **heads(64, 8, 64),
    ),
    "Mixtral-8x7B": config(
        "mixtral", 32, 4096, 32000, 32768, intermediate_size=14336, num_local_experts=8, num_experts_per_tok=2,
        sliding_window=None, **heads(32, 8),
    ),
    "Kimi-K2.5": nested(
        "kimi_k25",
        config(
            "kimi_k2", 61, 7168, 163840, 262144, intermediate_size=18432, num_nextn_predict_layers=0, **latent(64),
            **experts(384, 8, 2048, 1, 1),
        ),
    ),
    "Kimi-K3": nested(
        "kimi_k3",
        config(
            "kimi_linear", 93, 7168, 163840, 1048576, intermediate_size=33792, first_k_dense_replace=1, num_experts=896,
            num_experts_per_token=16, num_shared_experts=2, moe_intermediate_size=3072, routed_expert_hidden_size=3584,
            mla_use_output_gate=True, moe_layer_freq=1,
            linear_attn_config={
                "kda_layers": [number for number in range(1, 93) if number % 4],
                "num_heads": 96,
                "head_dim": 128,
                "short_conv_kernel_size": 4,
                "use_full_rank_gate": True,
            },
            **latent(96),
        ),
    ),
    "GLM-4.5-Air": config(
        "glm4_moe", 46, 4096, 151552, 131072, intermediate_size=10944, num_nextn_predict_layers=1, **heads(96, 8, 128),
        **experts(128, 8, 1408, 1, 1),
    ),
    "GLM-5": config(
        "glm_moe_dsa", 78, 6144, 154880, 202752, head_dim=64, intermediate_size=12288, num_nextn_predict_layers=1,
        **latent(64, 2048, 192, 256), **experts(256, 8, 2048, 1, 3), **index(32),
    ),
    "GLM-5.2": config(
        "glm_moe_dsa", 78, 6144, 154880, 1048576, intermediate_size=12288, num_nextn_predict_layers=1,
        indexer_types=["full", "full", *["full", "shared", "shared", "shared"] * 19],
        mlp_layer_types=["dense"] * 3 + ["sparse"] * 75, **latent(64, 2048, 192, 256), **experts(256, 8, 2048, 1, 3),
        **index(32),
    ),
    "MiniMax-Text-01": config(
        "minimax_text_01", 80, 6144, 200064, 10240000, intermediate_size=9216, num_local_experts=32,
        num_experts_per_tok=2, attn_type_list=[0, 0, 0, 0, 0, 0, 0, 1] * 10, shared_intermediate_size=0,
        **heads(64, 8, 128),
    ),
    "MiniMax-M2.5": config(
        "minimax_m2", 62, 3072, 200064, 196608, intermediate_size=1536, num_local_experts=256, num_experts_per_tok=8,
        use_mtp=True, num_mtp_modules=3, shared_intermediate_size=0, attn_type_list=[1] * 62, **heads(48, 8, 128),
    ),
    "MiniMax-M3": config(
        "minimax_m3", 60, 6144, 200064, 1048576, dense_intermediate_size=12288, intermediate_size=3072,
        shared_intermediate_size=3072, n_shared_experts=1, moe_layer_freq=[0] * 3 + [1] * 57, num_local_experts=128,
        num_experts_per_tok=4, num_nextn_predict_layers=1,
        sparse_attention_config={
            "use_sparse_attention": True,
            "sparse_num_index_heads": 4,
            "sparse_index_dim": 128,
            "sparse_topk_blocks": 16,
            "sparse_block_size": 128,
        },
        **heads(64, 4, 128),
    ),
    "Llama-4-Maverick": nested(
        "llama4",
        config(
            "llama4_text", 48, 5120, 202048, 1048576, intermediate_size=8192, intermediate_size_mlp=16384,
            num_local_experts=128, num_experts_per_tok=1, interleave_moe_layer_step=2, attention_chunk_size=8192,
            **heads(40, 8, 128),
        ),
    ),
    "Gemma-2-9B": config(
        "gemma2", 42, 3584, 256000, 8192, intermediate_size=14336, sliding_window=4096, **heads(16, 8, 256)
    ),
    "Gemma-3-27B": nested(
        "gemma3",
        config(
            "gemma3_text", 62, 5376, 262144, 131072, intermediate_size=21504, sliding_window=1024,
            sliding_window_pattern=6, **heads(32, 16, 128),
        ),
    ),
    "Gemma-4-26B-A4B": nested(
        "gemma4",
        config(
            "gemma4_text", 30, 2816, 262144, 262144, intermediate_size=2112, global_head_dim=512,
            num_global_key_value_heads=2, attention_k_eq_v=True, enable_moe_block=True, num_experts=128,
            top_k_experts=8, moe_intermediate_size=704, sliding_window=1024, layer_types=[*[WINDOW] * 5, FULL] * 5,
            hidden_size_per_layer_input=0, num_kv_shared_layers=0, **heads(16, 8, 256),
        ),
    ),
    "Nemotron-H-56B": config(
        "nemotron_h", 118, 8192, 131072, 8192, intermediate_size=32768, hybrid_override_pattern=MAMBAS + "M-M-M-M-M-",
        attention_head_dim=128, **heads(64, 8), **mamba(256, 256),
    ),
    "Nemotron-3-Super-120B-A12B": config(
        "nemotron_h", 88, 4096, 131072, 262144, intermediate_size=2688, hybrid_override_pattern=SUPER,
        n_routed_experts=512, n_shared_experts=1, num_experts_per_tok=22, moe_intermediate_size=2688,
        moe_shared_expert_intermediate_size=5376, moe_latent_size=1024, num_nextn_predict_layers=1,
        **heads(32, 2, 128), **mamba(128, 128),
    ),
    "MiMo-V2-Flash": config(
        "mimo_v2_flash", 48, 4096, 152576, 262144, intermediate_size=16384, v_head_dim=128, n_routed_experts=256,
        num_experts_per_tok=8, moe_intermediate_size=2048, moe_layer_freq=[0] + [1] * 47, sliding_window=128,
        hybrid_layer_pattern=[0, 1, 1, 1, 1, *[0, 1, 1, 1, 1, 1] * 7, 0], swa_num_attention_heads=64,
        swa_num_key_value_heads=8, swa_head_dim=192, swa_v_head_dim=128, **heads(64, 4, 192),
    ),
    "Step-3.7-Flash": config(
        "step3p7", 45, 4096, 128896, 65536, intermediate_size=11264, sliding_window=512, num_experts=288,
        num_experts_per_tok=8, moe_intermediate_size=1280, share_expert_dim=1280, n_shared_experts=1,
        first_k_dense_replace=3, num_nextn_predict_layers=3, layer_types=[*[FULL, WINDOW, WINDOW, WINDOW] * 11, FULL],
        **heads(64, 8, 128),
    ),
    "Phi-3-mini": config(
        "phi3", 32, 3072, 32064, 131072, intermediate_size=8192, sliding_window=262144, **heads(32, 32)
    ),
    "Phi-3.5-MoE": config(
        "phimoe", 32, 4096, 32064, 131072, intermediate_size=6400, num_local_experts=16, num_experts_per_tok=2,
        sliding_window=131072, **heads(32, 8),
    ),
    "Command-R-Plus": config("cohere", 64, 12288, 256000, 131072, intermediate_size=33792, **heads(96, 8)),
    "Nemotron-4-340B": config("nemotron", 96, 18432, 256000, 4096, intermediate_size=73728, **heads(96, 8)),
    "GPT-2-xl": {
        "model_type": "gpt2", "n_layer": 48, "n_embd": 1600, "n_head": 25, "vocab_size": 50257, "n_positions": 1024,
        "n_ctx": 1024, "n_inner": None,
    },
    "GPT-J-6B": {
        "model_type": "gptj", "n_layer": 28, "n_embd": 4096, "n_head": 16, "vocab_size": 50400, "n_positions": 2048,
        "n_inner": None, "tie_word_embeddings": False,
    },
    "OPT-66B": config("opt", 64, 9216, 50272, 2048, ffn_dim=36864, num_attention_heads=72),
    "BLOOM-176B": {
        "model_type": "bloom", "n_layer": 70, "hidden_size": 14336, "n_head": 112, "vocab_size": 250880,
        "seq_length": 2048,
    },
    "MPT-7B": {
        "model_type": "mpt", "n_layers": 32, "d_model": 4096, "n_heads": 32, "vocab_size": 50368, "max_seq_len": 2048,
        "expansion_ratio": 4, "learned_pos_emb": True,
        "attn_config": {"alibi": False, "attn_type": "multihead_attention"},
    },
    "DBRX": {
        "model_type": "dbrx", "n_layers": 40, "d_model": 6144, "n_heads": 48, "vocab_size": 100352,
        "max_seq_len": 32768,
        "attn_config": {"kv_n_heads": 8, "rope_theta": 500000},
        "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
    },
    "Falcon-40B": {
        "model_type": "falcon", "num_hidden_layers": 60, "hidden_size": 8192, "num_attention_heads": 128,
        "num_kv_heads": 8, "new_decoder_architecture": True, "vocab_size": 65024, "max_position_embeddings": 2048,
    },
    "Falcon-7B": {
        "model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544, "num_attention_heads": 71,
        "multi_query": True, "vocab_size": 65024, "max_position_embeddings": 2048,
    },
}  # fmt: skip
"""By the name of the shipped model that each describes."""
