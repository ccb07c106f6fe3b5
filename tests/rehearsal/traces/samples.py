"""A few rows of every format in its publisher's layout: sample rows of READMEs where those have some."""

# ruff: noqa: E501 - rows as they were published

from __future__ import annotations

import json

SWF = """; Version: 2.2
; Computer: Test
;              http://example.org/
; MaxProcs: 64
; UnixStartTime: 843480031
; Note: one
; Note: two
;
1 0 5 100 4 -1 -1 4 600 -1 1 3 2 -1 1 -1 -1 -1
2 10 -1 50.9 8 -1 1024 -1 -1 2048 0 4 2 -1 1 -1 -1 -1
3 10 0 30 1 -1 -1 1 60 -1 5 -1 -1 -1 1 -1 -1 -1
"""

PHILLY = json.dumps(
    [
        {
            "status": "Pass",
            "vc": "ee9e8c",
            "jobid": "application_1506638472019_14199",
            "attempts": [
                {
                    "start_time": "2017-10-07 01:12:09",
                    "end_time": "2017-10-07 01:13:23",
                    "detail": [{"ip": "m47", "gpus": [f"gpu{n}" for n in range(8)]}],
                },
                {
                    "start_time": "2017-10-07 01:13:30",
                    "end_time": "2017-10-09 06:53:12",
                    "detail": [{"ip": "m412", "gpus": [f"gpu{n}" for n in range(8)]}],
                },
            ],
            "submitted_time": "2017-10-07 01:11:39",
            "user": "ce2f4c",
        },
        {
            "status": "Killed",
            "vc": "6214e9",
            "jobid": "application_1",
            "attempts": [
                {
                    "start_time": "2017-10-07 00:00:10",
                    "end_time": "2017-10-07 00:00:40",
                    "detail": [{"ip": "m1", "gpus": ["gpu0", "gpu1"]}, {"ip": "m2", "gpus": ["gpu5"]}],
                }
            ],
            "submitted_time": "2017-10-07 00:00:00",
            "user": "aaa",
        },
        {
            "status": "Failed",
            "vc": "6214e9",
            "jobid": "application_2",
            "attempts": [],
            "submitted_time": "2017-10-07 00:00:00",
            "user": "aaa",
        },
        {
            "status": "Pass",
            "vc": "6214e9",
            "jobid": "application_3",
            "attempts": [
                {
                    "start_time": "2017-10-07 00:00:10",
                    "end_time": "None",
                    "detail": [{"ip": "m1", "gpus": ["gpu0"]}],
                }
            ],
            "submitted_time": "2017-10-07 00:00:00",
            "user": "aaa",
        },
    ],
    indent=4,
)

PHILLY_TABLE = """timestamp,duration,num_gpus,gpu_time,cluster
2017-09-04 10:30:41,2240194.0,8,17921552.0,7f04ca
2017-09-07 03:58:57,3256045.0,1,3256045.0,6214e9
"""

HELIOS = """job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue
1425512,uVMrF,vchbv,4,16,1,FAILED,2020-06-09 18:41:27,2020-06-09 18:41:27,2020-06-09 18:45:36,249,0
1425511,uXBbc,vcJkd,1,1,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-10 04:55:09,36848,0
1425513,uzqls,vcpDC,16,32,2,CANCELLED,2020-06-09 18:41:28,2020-06-09 18:41:58,2020-06-17 14:15:21,675233,30
1425514,uzqls,vcpDC,0,1,1,COMPLETED,2020-06-09 18:41:29,2020-06-09 18:41:29,2020-06-09 18:41:30,1,0
1425515,uzqls,vcpDC,8,1,1,TIMEOUT,2020-06-09 18:41:30,2020-06-09 18:41:30,2020-06-09 18:41:31,1,0
"""

SEREN = """job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time
5778469,u5907,1,8,128,Evaluation,COMPLETED,2023-03-01 00:23:58+08:00,2023-03-01 00:24:11+08:00,2023-03-01 01:09:04+08:00,2693,13,21544.0
5778432,u5907,1,8,128,Other,FAILED,2023-03-01 00:18:22+08:00,2023-03-01 00:18:54+08:00,2023-03-01 00:20:51+08:00,117,32,936.0
"""

KALOS = """job_id,user,node_num,gpu_num,cpu_num,mem_per_pod_GB,shared_mem_per_pod,type,state,submit_time,start_time,end_time,fail_time,stop_time,duration,queue,gpu_time
dlctk696s0jbvitv,uf794,8,64,960,1000,100.0,Pretrain,FAILED,2023-05-17 11:00:58+00:00,2023-05-17 11:01:08+00:00,2023-05-17 11:01:16+00:00,2023-05-17 11:01:16+00:00,,18,10.0,1152.0
dlc1t2ypl09b8qtp,uf794,8,64,960,1000,100.0,Other,CANCELLED,2023-05-17 11:28:42+00:00,2023-05-17 11:28:54+00:00,2023-05-17 11:30:04+00:00,,2023-05-17 11:30:04+00:00,82,12.0,5248.0
"""

PAI_JOBS = """j1,i1,u1,Terminated,1000.0,1500.0
j2,i2,u2,Failed,900.0,1600.0
j3,i3,u3,Running,900.0,
j4,i4,u4,Terminated,900.0,1000.0
"""
PAI_TASKS = """j1,ps,1.0,Terminated,1010.0,1500.0,600.0,29.296875,,CPU
j1,worker,2.0,Terminated,1020.0,1490.0,400.0,10.0,50.0,T4
j2,worker,3.0,Failed,905.0,1600.0,800.0,10.0,200.0,V100
j3,tensorflow,1.0,Running,950.0,,600.0,29.296875,100.0,MISC
j5,tensorflow,1.0,Terminated,950.0,960.0,600.0,29.296875,100.0,MISC
"""

OPENB = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
openb-pod-0000,12000,16384,1,1000,,LS,Running,0,12537496,0
openb-pod-0017,88000,327680,8,1000,,Burstable,Succeeded,100,400,107
openb-pod-0035,16000,32768,1,220,V100M16|V100M32,BE,Failed,200,968,205
openb-pod-0036,16000,32768,0,0,,BE,Failed,300,968,305
openb-pod-0037,16000,32768,1,220,,BE,Pending,400,968,
"""
OPENB_NODES = """sn,cpu_milli,memory_mib,gpu,model
openb-node-0227,32000,262144,0,
openb-node-0228,128000,786432,8,G3
"""

GAVEL_6 = "CycleGAN\tcd x && python3 a.py --decay 0\t--n_steps\t4426\t7\t1\n"
GAVEL_7 = (
    "LM (batch size 10)\tcd %s/x && python3 train.py\t-step\t1\t81652\t0.000000\t1\n"
    "A3C\tcd %s/x && python3 train.py\t-n\t1\t10000\t6.000000\t4\n"
    "LM (batch size 10)\tcd %s/x && python3 train.py\t-step\t1\t615093\t9.500000\t8\n"
)
GAVEL_10 = (
    "LM (batch size 10)\tpython3 train.py\ttranslation\t-step\t1\t81652\t1\t1\t1.200000\t0\n"
    "LM (batch size 10)\tpython3 train.py\ttranslation\t-step\t1\t81652\t1\t5\t-1.000000\t12\n"
)

AZURE_2023 = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
"""
AZURE_2024 = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:00.017335+00:00,2399,6
"""
AZURE_2025 = """TIMESTAMP,NumImages,ContextTokens,GeneratedTokens
2024-10-15 18:00:00.5,1,2162,5
"""

BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45,ChatGPT,1087,230,1317,Conversation log
1106,GPT-4,417,0,417,API log
"""
BURSTGPT_3 = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
19440110.0,1722ac82-0a46-4bf0-aa08-89794e7a2b3f,43,GPT-4,906,446,1352,Conversation log
19440161.0,,2,ChatGPT,36,29,65,API log
"""

MOONCAKE = """{"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, 2]}
{"timestamp": 2500, "input_length": 7322, "output_length": 490, "hash_ids": [0, 14]}
"""

SERVEGEN = {
    "data/language/m-test/chunk-0-trace.csv": "0,0,0,,0,0\n600,0.5,1.0,Gamma,1.0,2.0\n1200,0.25,1.0,Weibull,0.5,2.0\n",
    "data/language/m-test/chunk-0-dataset.json": json.dumps(
        {
            "0": {"input_tokens": "{}", "output_tokens": "{}"},
            "600": {"input_tokens": "{100: 0.5, 200: 0.5}", "output_tokens": "{7: 1.0}"},
        }
    ),
    "data/language/m-test/chunk-1-trace.csv": "0,1.0,1.0,Gamma,1.0,2.0\n600,0,0,,0,0\n",
}

FILES = {
    "swf": ("log.swf", SWF),
    "philly": ("cluster_job_log", PHILLY),
    "philly-csv": ("philly.csv", PHILLY_TABLE),
    "helios": ("cluster_log.csv", HELIOS),
    "acme": ("trace_kalos.csv", KALOS),
    "pai": ("pai_task_table.csv", PAI_TASKS),
    "openb": ("openb_pod_list_default.csv", OPENB),
    "gavel": ("0e4a51.trace", GAVEL_7),
    "azure-llm": ("AzureLLMInferenceTrace_code.csv", AZURE_2023),
    "burstgpt": ("BurstGPT_1.csv", BURSTGPT),
    "mooncake": ("conversation_trace.jsonl", MOONCAKE),
}
"""One file of every format that is one file: its publisher's name and its text."""
